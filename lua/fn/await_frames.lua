--- Frames of an execution behind a place. When there is none, and no end, the next is announced.
---
--- @flags allow-oom
--- @arg id       id
--- @arg asked    text  attempt, or empty for all
--- @arg attempt  int   of the place
--- @arg ordinal  int   of the place, or 0
--- @arg most     int
--- @arg seen     text  version of the summary that is known, or empty when none is wanted
--- @ok gap   flag
--- @ok end   text  how the execution ended, `superseded`, or empty
--- @ok items list  id and field of each
--- @ok summary bytes  `<version> <attempt> <when>`, a line's end, and the document; or empty
--- @err NOT_FOUND
local frames_end = require("frames_end")
local frames_page = require("frames_page")
local keys = require("keys")
local reply = require("reply")
local summary = require("summary")

return function(partition, id, asked, attempt, ordinal, most, seen)
  local f = frames_end.seen(partition, id)
  if not f then
    return reply.err("NOT_FOUND")
  end
  local of = asked ~= "" and tonumber(asked) or nil
  local items, through, gap =
    frames_page.of(partition, id, of, tonumber(attempt), tonumber(ordinal), false, tonumber(most))
  local over = through and frames_end.of(f, of) or ""
  local newer = summary.newer(partition, id, seen)
  if #items == 0 and not gap and over == "" and not newer and not f.tw then
    redis.call("HSET", keys.execution(partition, id), "tw", "1")
  end
  return reply.ok(gap and "1" or "0", over, frames_page.flat(items), newer or "")
end

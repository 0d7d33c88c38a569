--- Completions behind a place in the log. When there is none, a process is told of the next.
---
--- A place is the number of the last event in front of it, and some digits of that event, which tell
--- whether it is still the one that was read. An item is what ended, the execution, how, when, the flow or
--- `-`, whether there is a result, and the result.
---
--- @flags allow-oom
--- @arg from    text  number of an event, `start` or `now`
--- @arg check   text  hex digits, or empty
--- @arg most    int
--- @arg tag     text  only events with this tag, or empty
--- @arg flow    text  only events of this flow, or empty
--- @arg process text  that waits
--- @ok gap   flag  events behind the place are gone
--- @ok seq   int   the place to go on from
--- @ok check text
--- @ok items list
local keys = require("keys")
local log = require("log")
local reply = require("reply")

return function(partition, from, check, most, tag, flow, process)
  local place = log.place(partition, from, check)
  local items = log.items(partition, place, tonumber(most), tag, flow)
  if #items == 0 and not place.gap then
    redis.call("SADD", keys.log_readers(partition), process)
  end
  return reply.ok(place.gap and "1" or "0", place.seq, place.check, items)
end

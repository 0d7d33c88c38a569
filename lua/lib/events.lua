--- The completion log: how events are written and trimmed. No other module does.
---
--- An event has one field, `e`: what ended (`x` an execution, `f` a flow), the execution, how it ended,
--- when, the flow or `-`, and behind a line's end the tags.
local keys = require("keys")
local member = require("member")
local number = require("number")

local events = {}

--- Most events that are kept, and how long.
local KEPT_MAX = 100000
local KEPT_MS = 86400000
--- Events that one call looks at in order to trim them.
local TRIMMED_AT_ONCE = 100
local READERS_AT_ONCE = 64

--- Tells all processes that wait. Who hears it reads, and waits again.
local function tell(partition)
  local key = keys.log_readers(partition)
  repeat
    local waiting = redis.call("SPOP", key, READERS_AT_ONCE)
    for i = 1, #waiting do
      local process = waiting[i]
      redis.call("SPUBLISH", keys.process(partition, process), "e")
    end
  until #waiting < READERS_AT_ONCE
end

local function append(partition, looked, what, id, state, at, flow, tags)
  local event = what .. " " .. id .. " " .. state .. " " .. at .. " " .. flow .. "\n" .. (tags or "")
  redis.call("XADD", keys.log(partition), "MAXLEN", "~", KEPT_MAX, "1-*", "e", event)
  -- Who is told reads all that one call appends.
  if not looked then
    tell(partition)
  elseif not looked.has_told then
    looked.has_told = true
    tell(partition)
  end
end

--- An execution has ended, and is about to be saved.
function events.ended(r)
  append(r.partition, r.looked, "x", r.id, r.f.st, r.f.ea, r.f.nd and member.node(r).flow or "-", r.f.tg)
end

--- A flow has ended with the end of a member.
function events.flow_ended(fl, last, looked)
  append(fl.partition, looked, "f", last, fl.state, fl.f.ea, fl.flow, fl.f.tg)
end

--- The number of an event, counted from 1, as text: the server counts from 0.
function events.number(id)
  return number.text(tonumber(string.match(id, "^1%-(%d+)$")) + 1)
end

--- The id of the event with a number.
function events.id(seq)
  return "1-" .. number.text(tonumber(seq) - 1)
end

--- The parts of an event: `what`, `id`, `state`, `at`, `flow`, and `f.tg`, its tags.
function events.read(entry)
  local e = { seq = events.number(entry[1]), f = {} }
  e.what, e.id, e.state, e.at, e.flow, e.f.tg = string.match(entry[2][2], "^(%l) (%x+) (%l+) (%d+) (%S+)\n(.*)$")
  return e
end

--- Removes some events that are too old.
function events.trim(partition, now)
  local key, behind = keys.log(partition), nil
  for _, entry in ipairs(redis.call("XRANGE", key, "-", "+", "COUNT", 1)) do
    if now - tonumber(events.read(entry).at) < KEPT_MS then
      return
    end
    behind = entry[1]
  end
  if not behind then
    return
  end
  for _, entry in ipairs(redis.call("XRANGE", key, "-", "+", "COUNT", TRIMMED_AT_ONCE)) do
    local e = events.read(entry)
    if now - tonumber(e.at) < KEPT_MS then
      break
    end
    behind = events.id(tonumber(e.seq) + 1)
  end
  redis.call("XTRIM", key, "MINID", behind)
end

return events

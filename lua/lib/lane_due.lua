--- A look at a lane that is due: keys that were aside take turns again, and as many workers are woken as there
--- is room for.
local aside = require("aside")
local handouts = require("handouts")
local keys = require("keys")
local lanes = require("lanes")
local number = require("number")
local record = require("record")
local waiters = require("waiters")
local wakes = require("wakes")

local lane_due = {}

--- Most keys that one look puts back, and most workers that it wakes.
local MOVED_MAX = 32

--- The lane, or nil when it was never steered.
function lane_due.load(partition, name)
  local text = redis.call("GET", keys.lane_settings(partition, name))
  return text and lanes.open(partition, name, text) or nil
end

--- Wakes workers while there is room, some in a call. What was left by the call before comes first.
local function wake(ln, looked, now)
  local place = lanes.looks_on(ln)
  local wanted, woken, rest = math.min(lanes.room(ln, now), MOVED_MAX), 0, nil
  if waiters.any(ln.partition, ln.lane) then
    woken, rest = wakes.some(ln, wanted, looked, now, nil, place)
  end
  if woken == MOVED_MAX then
    record.set_number(ln, "la", now)
  elseif woken < wanted and rest then
    lanes.look_on(ln, rest, now)
  end
end

--- Looks at a lane. Answers what was done, or nil when nothing is due.
function lane_due.handle(ln, now, looked)
  if not ln.due or tonumber(ln.due) > now then
    return nil
  end
  local more, later = aside.put_back_due(ln, MOVED_MAX, now)
  if more then
    record.set(ln, "la", number.text(now))
  else
    record.set(ln, "la", later)
  end
  handouts.finish(ln, now)
  wake(ln, looked, now)
  lanes.save(ln, now)
  return "lanes"
end

return lane_due

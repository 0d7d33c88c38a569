--- Occurrences of schedules that wait for the end of the execution before.
local keys = require("keys")
local record = require("record")
local schedule = require("schedule")

local buffered = {}

local OCCURRENCE = "^(%x+) (%d+)$"

--- Tells the schedule of an execution that has ended, when an occurrence waits for that: it is due.
function buffered.before_ended(r, now)
  local id = string.match(r.f.oc, OCCURRENCE)
  local waits = redis.call("HMGET", keys.schedule(r.partition, id), "wa", "be", "ve", "tg")
  if waits[1] and waits[2] == r.id then
    local s = schedule.in_hand(r.partition, id, { tg = waits[4] or nil })
    record.set_number(s, "la", now)
    record.set_number(s, "ve", tonumber(waits[3]) + 1)
    schedule.save(s, now)
  end
end

return buffered

--- Submits occurrences of schedules, as planned, of those that are still of the version that was planned for.
---
--- A plan is seven values: schedule, version, how many occurrences were missed, up to when they are decided, the
--- next one, when that is due, each of both empty for none, and the occurrences to be submitted, `<time> <id>` in
--- a row.
---
--- @arg tag   text   that the maintainer asks for, or empty
--- @arg plans bytes  packed
--- @ok now      time
--- @ok next_due text  or empty
--- @ok fired    int   schedules
--- @ok broken   text  what could not be carried out and is tried again later, a line each
local agenda = require("agenda")
local clock = require("clock")
local firing = require("firing")
local keys = require("keys")
local packed = require("packed")
local planned = require("planned")
local record = require("record")
local reply = require("reply")
local schedule = require("schedule")
local timers = require("timers")

local VALUES = 7

local function optional(text)
  return text ~= "" and text or nil
end

--- Carries out the plan behind `at`, and answers how many schedules that fired: none when the schedule has changed.
local function carry_out(partition, values, at, now, looked)
  if redis.call("HGET", keys.schedule(partition, values[at]), "ve") ~= values[at + 1] then
    return 0
  end
  local s = schedule.load(partition, values[at])
  planned.next_version(s)
  if values[at + 2] ~= "0" then
    schedule.count(s, "missed", tonumber(values[at + 2]))
  end
  record.set(s, "th", values[at + 3])
  record.set(s, "nx", optional(values[at + 4]))
  record.set(s, "la", optional(values[at + 5]))
  firing.fire(s, values[at + 6], now, looked)
  schedule.save(s, now)
  return 1
end

return function(partition, tag, plans)
  local now = clock.now_ms(partition)
  local values, looked, fired, broken = packed.read(plans), {}, 0, ""
  for at = 1, #values, VALUES do
    local is_sound, result = pcall(carry_out, partition, values, at, now, looked)
    if is_sound then
      fired = fired + result
    else
      timers.postpone(partition, tag, schedule.due_name(values[at]), now)
      broken = broken .. "schedule " .. values[at] .. ": " .. tostring(result) .. "\n"
    end
  end
  return reply.ok(now, agenda.next(partition, tag) or "", fired, broken)
end

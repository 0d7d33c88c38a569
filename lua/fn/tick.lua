--- Handles what is due, the longest due first. When nothing was, it lets a waiting maintainer sleep.
---
--- @flags allow-oom
--- @arg most    int
--- @arg tag     text  only executions with this tag, or empty
--- @arg process text  that would sleep, or empty
--- @arg wait    int   how long at the most, ms
--- @ok now       time
--- @ok next_due  text  or empty
--- @ok delays    int
--- @ok leases    int
--- @ok timeouts  int
--- @ok expired   int
--- @ok grants    int
--- @ok removed   int
--- @ok waits      int
--- @ok waitpoints int
--- @ok flows_expired  int
--- @ok flows_removed  int
--- @ok flows_advanced int  of which some was done of what is left to do
--- @ok budgets       int   that were looked at
--- @ok lanes         int   that were looked at
--- @ok repaired  int   lost wake-ups
--- @ok cut_off   flag  the call stopped early because it had done enough
--- @ok broken    text  what could not be handled and is tried again later, a line each
--- @ok schedules list  those that are due, for the client to plan: id, and fields that say when it recurs
--- @ok shares    list  those to advance: a budget, and the numbers of their partitions joined by spaces, or empty for this one
local agenda = require("agenda")
local budget = require("budget")
local budget_due = require("budget_due")
local clock = require("clock")
local due = require("due")
local effort = require("effort")
local events = require("events")
local execution = require("execution")
local flow = require("flow")
local flow_due = require("flow_due")
local lane_due = require("lane_due")
local repair = require("repair")
local reply = require("reply")
local schedule = require("schedule")
local timers = require("timers")

local ID_DIGITS = 32

--- Handles what is due of an execution, a flow, a budget or a lane; of a schedule it is left to the client. Answers
--- that, and what it was.
local function handle(partition, id, now, looked, schedules, shares)
  local schedule_id = string.match(id, "^s(%x+)$")
  if schedule_id then
    local s, planned = schedule.planned(partition, schedule_id)
    if not s or not s.due or tonumber(s.due) > now then
      return s, nil
    end
    schedules[#schedules + 1] = { schedule_id, planned }
    return s, "schedules"
  end
  local budget_id = string.match(id, "^g(%x+)$")
  if budget_id then
    local b = budget.load(partition, budget_id)
    return b, b and budget_due.handle(b, now, effort.of(looked), shares)
  end
  local name = string.match(id, "^l(.*)$")
  if name then
    local ln = lane_due.load(partition, name)
    return ln, ln and lane_due.handle(ln, now, looked)
  end
  local flow_id = string.match(id, "^f(%x+)$")
  if flow_id and #flow_id == ID_DIGITS then
    local fl = flow.load(partition, flow_id)
    return fl, fl and flow_due.handle(fl, now, looked)
  end
  local r = execution.open(partition, id)
  if r then
    r.looked = looked
  end
  return r, r and due.handle(r, now)
end

return function(partition, most, tag, process, wait)
  local now = clock.now_ms(partition)
  clock.purge(partition, now)
  events.trim(partition, now)
  local counts = { delays = 0, leases = 0, timeouts = 0, expired = 0, grants = 0, removed = 0 }
  counts.waits, counts.waitpoints = 0, 0
  counts.flows_expired, counts.flows_removed, counts.flows_advanced, counts.budgets, counts.lanes = 0, 0, 0, 0, 0
  counts.schedules = 0
  local handled, looked, cut_off, broken, schedules, shares = 0, {}, false, "", {}, {}
  for _, id in ipairs(agenda.due(partition, tag, now, most)) do
    local is_sound, r, event = pcall(handle, partition, id, now, looked, schedules, shares)
    if not is_sound then
      timers.postpone(partition, tag, id, now)
      broken = broken .. id .. ": " .. tostring(r) .. "\n"
    elseif event then
      counts[event] = counts[event] + 1
      handled = handled + 1
    else
      timers.correct(partition, tag, id, r, now)
    end
    if effort.of(looked).visits <= 0 or handled == tonumber(most) then
      cut_off = true
      break
    end
  end
  local next_due = agenda.next(partition, tag)
  if process ~= "" and handled == 0 and tonumber(most) > 0 then
    local latest = now + math.min(tonumber(wait), timers.HEARTBEAT_MS)
    timers.sleep(partition, process, tag, math.min(latest, tonumber(next_due or latest)), now)
  end
  local repaired = repair.wakeups(partition, now)
  local c = counts
  return reply.ok(
    now, next_due or "", c.delays, c.leases, c.timeouts, c.expired, c.grants, c.removed,
    c.waits, c.waitpoints, c.flows_expired, c.flows_removed, c.flows_advanced, c.budgets, c.lanes,
    repaired, cut_off and "1" or "0", broken, schedules, shares)
end

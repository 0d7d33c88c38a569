--- The submitting of the occurrences of a schedule, as executions like any other.
local execution = require("execution")
local intake = require("intake")
local keys = require("keys")
local planned = require("planned")
local record = require("record")
local run = require("run")
local schedule = require("schedule")
local submission = require("submission")
local told = require("told")

local firing = {}

local OCCURRENCE = "(%d+) (%x+)"
local LANE = 2
local NEXT_HAS_COME = "the next occurrence of its schedule has come"

--- Calls `visit` with time and id of each occurrence in a text, in its order.
function firing.each(text, visit)
  for at, id in string.gmatch(text, OCCURRENCE) do
    visit(at, id)
  end
end

--- Whether there is an execution, and it has not ended.
local function is_open(partition, id)
  local text = id and redis.call("HGET", keys.execution(partition, id), "r")
  return text and not record.TERMINAL[string.match(text, "^%S+")]
end

--- Whether there is an execution.
function firing.is_there(s, id)
  return redis.call("EXISTS", keys.execution(s.partition, id)) == 1
end

--- Why the work of a schedule is refused now, or nil, and then how long it may be ready, as text or nil.
function firing.refusal(s, looked)
  if planned.unknown_budget(s) then
    return "budget_not_found"
  end
  local ttl, refused = intake.admits(s.partition, planned.work(s)[LANE], looked)
  return refused and string.lower(refused[1]), ttl
end

--- Stores the execution of an occurrence that was taken in.
function firing.store(s, at, id, ttl, now, looked)
  local r = submission.record(s.partition, id, planned.work(s), 0, ttl, now)
  r.f.oc = s.schedule .. " " .. at
  r.looked = looked
  execution.create(r, now)
  intake.stored(r, looked)
end

local function submit(s, at, id, now, looked)
  local refused, ttl = firing.refusal(s, looked)
  if refused then
    schedule.count(s, "refused")
    record.set(s, "rf", at .. " " .. refused)
  else
    firing.store(s, at, id, ttl, now, looked)
    schedule.count(s, "submitted")
    schedule.remember(s, at, id)
  end
end

--- Cancels an execution because the next occurrence has come.
local function cancel(partition, id, now, looked)
  local r = execution.open(partition, id)
  if not r or run.is_over(r) or (r.f.li and r.f.ca) then
    return
  end
  r.looked, looked.ready = looked, nil
  run.set_cancelled(r, NEXT_HAS_COME, now)
  if r.f.li then
    told.cancelled(r)
  else
    run.finish(r, "cancelled", now)
  end
  execution.commit(r, now)
end

--- Does what the overlap policy says of an occurrence. One that a backfill came before is done already.
local function occur(s, at, id, now, looked)
  if firing.is_there(s, id) then
    return
  end
  local overlap = is_open(s.partition, s.f.be) and s.f.ov or "allow"
  if overlap == "buffer_one" and not s.f.wa then
    record.set(s, "wa", at .. " " .. id)
  elseif overlap == "skip" or overlap == "buffer_one" then
    schedule.count(s, "overlapped")
  else
    if overlap == "cancel_previous" then
      cancel(s.partition, s.f.be, now, looked)
    end
    submit(s, at, id, now, looked)
  end
end

--- Submits the occurrence that waits, if it does not need to any more, and those of a text.
function firing.fire(s, occurrences, now, looked)
  if s.f.wa and not is_open(s.partition, s.f.be) then
    local at, id = string.match(s.f.wa, OCCURRENCE)
    record.set(s, "wa", nil)
    if not firing.is_there(s, id) then
      submit(s, at, id, now, looked)
    end
  end
  firing.each(occurrences, function(at, id)
    occur(s, at, id, now, looked)
  end)
end

return firing

--- What time alone does to an execution.
local barrier = require("barrier")
local execution = require("execution")
local lease = require("lease")
local number = require("number")
local placement = require("placement")
local policy = require("policy")
local reasons = require("reasons")
local record = require("record")
local resume = require("resume")
local retry = require("retry")
local run = require("run")
local waits = require("waits")

local due = {}

local function lease_over(r, at, now)
  local timed_out = r.f.le == at
  lease.finish(r, lease.EXPIRED)
  if timed_out then
    run.record_failure(r, "timeout", "the attempt ran too long", nil, now)
    retry.dispose(r, "timeout", nil, now)
    return "timeouts"
  end
  run.record_failure(r, "infra_crash", "the lease was lost", nil, now)
  barrier.hear_of(r)
  local reclaims = tonumber(r.f.rc)
  if r.f.ca then
    run.finish(r, "cancelled", now)
  elseif reclaims >= policy.of(r).max_reclaims then
    run.finish(r, "failed", now)
  else
    r.f.rc = number.text(reclaims + 1)
    run.close_attempt(r)
    run.await_turn(r, "c", tonumber(at))
  end
  return "leases"
end

--- At one time the timeout comes before the expiry of a waitpoint.
local function wait_over(r, at, now)
  local w = waits.of(r)
  if w.suspension.timeout == at then
    resume.give_up(r, "t", tonumber(at), now)
    return "waits"
  end
  waits.close_expired(w, "a", tonumber(at))
  resume.give_up_if_impossible(r, tonumber(at), now)
  return "waitpoints"
end

local function decide(r, at, now)
  local f = r.f
  if placement.expires(r) == at then
    lease.finish(r, lease.EXPIRED)
    run.finish(r, "expired", now)
    return "expired"
  elseif f.li then
    return lease_over(r, at, now)
  elseif f.gx == at then
    record.remove(r, record.TOKEN)
    return "grants"
  elseif f.st == "suspended" then
    return wait_over(r, at, now)
  end
  run.end_delay(r)
  r.f.st = reasons.state(r)
  return "delays"
end

--- Handles one thing that is due of an execution, the earliest; another call handles the next.
--- Answers what it was, or nil when nothing is due.
function due.handle(r, now)
  local at = r.due
  if not at or tonumber(at) > now then
    return nil
  elseif run.is_over(r) then
    execution.remove(r)
    return "removed"
  end
  local event = decide(r, at, now)
  execution.commit(r, now)
  return event
end

return due

--- How a wait ends, whoever ends it.
---
--- What ended it is kept for the resumed attempt: `s` for signals, `t` for its timeout, `u` when it
--- could no longer be satisfied, `o` and the reason for an operator.
local condition = require("condition")
local run = require("run")
local waits = require("waits")

local resume = {}

local MESSAGES = { t = "the wait timed out", u = "the wait can no longer be satisfied" }

--- The attempt waits to be taken up again, in its place among those ready at `ready_at`. All of the
--- suspension is over but what ended it.
function resume.by(r, how, signals, ready_at)
  local w = waits.of(r)
  local of = waits.suspended_keys(w)
  waits.end_suspension(w)
  w.resumed = { how = how, of = of, signals = signals }
  run.await_turn(r, "c", ready_at)
end

--- Does what the suspend asked for when the wait is over without success.
function resume.give_up(r, how, ready_at, now)
  local behavior = waits.of(r).suspension.behavior
  if behavior == "f" then
    run.record_failure(r, "timeout", MESSAGES[how], nil, now)
    run.finish(r, "failed", now)
  elseif behavior == "c" then
    run.mark_cancelled(r, MESSAGES[how], now)
    run.finish(r, "cancelled", now)
  elseif behavior == "e" then
    run.finish(r, "expired", now)
  else
    resume.by(r, how, {}, ready_at)
  end
end

--- Gives up a suspension that no signal can satisfy any more.
function resume.give_up_if_impossible(r, ready_at, now)
  if r.f.st == "suspended" and not condition.is_possible(waits.of(r), now) then
    resume.give_up(r, "u", ready_at, now)
  end
end

return resume

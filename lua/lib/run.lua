--- The moves that several verbs share: waiting for a turn, delays, and the end.
local joins = require("joins")
local kept = require("kept")
local number = require("number")
local placement = require("placement")
local reasons = require("reasons")
local record = require("record")
local waits = require("waits")

local run = {}

--- What only an execution has that has not ended, and is not finished by others.
local OF_OPEN = { "rs", "du", "gi", "gx", "of", "bo", "ba", "rv", "cf", "cw" }
--- The same of one that may run after all: a hold and a delay are for that.
local OF_SKIPPED = { "gi", "gx", "of", "bo", "ba", "rv", "cf", "cw" }

--- Closes the current attempt; the next claim opens another.
function run.close_attempt(r)
  r.f.ao = nil
  record.set(r, "rv", nil)
end

--- Makes the execution wait to be handed out, fresh (`entry` nil) or by the reclaim scanner (`c`),
--- in the state its reasons imply.
function run.await_turn(r, entry, ready_at)
  r.f.en = entry
  r.f.ra = number.text(ready_at)
  record.remove(r, record.TOKEN)
  r.f.st = reasons.state(r)
end

--- Adds a delay until `at`; a time that has passed adds none. Answers when it is ready.
function run.delay(r, at, now)
  if at > now then
    reasons.add(r, reasons.DELAY)
    record.set_number(r, "du", at)
    return at
  end
  return now
end

--- Ends the delay.
function run.end_delay(r)
  reasons.remove(r, reasons.DELAY)
  record.set(r, "du", nil)
end

--- Ends the execution in a terminal state. Everything it waited for is gone, but for the hold and the delay of one
--- that is skipped.
function run.finish(r, state, now)
  r.f.st, r.f.ao = state, nil
  if r.f.cf then
    r.forsakes = true
  end
  if state == "skipped" then
    reasons.remove(r, reasons.BUDGET)
    record.remove(r, OF_SKIPPED)
  else
    record.remove(r, OF_OPEN)
  end
  waits.finish(r)
  kept.finish(r)
  joins.close(r)
  r.f.ea = number.text(now)
end

--- Whether the deadline has passed.
function run.missed_deadline(r, now)
  return r.f.dl ~= nil and tonumber(r.f.dl) <= now
end

--- One that had ended is open again: a deadline and a delay that have passed are dropped. Answers since when it is
--- ready, if nothing else keeps it.
function run.open_again(r, now)
  r.f.ea = nil
  if run.missed_deadline(r, now) then
    record.set(r, "dl", nil)
  end
  if r.f.du and tonumber(r.f.du) <= now then
    run.end_delay(r)
  end
  return r.f.du and tonumber(r.f.du) or now
end

--- Whether its deadline or its time to live has passed.
function run.has_expired(r, now)
  local at = placement.expires(r)
  return at ~= nil and tonumber(at) <= now
end

--- Whether the execution has ended.
function run.is_over(r)
  return r.f.ea ~= nil
end

--- Remembers a cancellation, unless there is one.
function run.mark_cancelled(r, reason, now)
  if not r.f.ca then
    run.set_cancelled(r, reason, now)
  end
end

--- Remembers a cancellation in place of an earlier one.
function run.set_cancelled(r, reason, now)
  record.set_number(r, "ca", now)
  record.set_text(r, "cr", reason)
end

--- Remembers a failure of the latest attempt. `detail` may be nil.
function run.record_failure(r, class, message, detail, now)
  record.set(r, "fc", class)
  record.set(r, "fa", r.f.ai or "0")
  record.set(r, "ft", number.text(now))
  record.set_text(r, "fm", message)
  record.set_text(r, "fd", detail)
end

return run

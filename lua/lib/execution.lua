--- Takes an execution in hand, and puts it back: record, indexes and wake-ups together, and what its
--- end means for the members of its flow and for its schedule.
---
--- A function opens an execution, decides, changes fields, and commits. Everything before the
--- commit only reads.
local buffered = require("buffered")
local places = require("places")
local propagate = require("propagate")
local removal = require("removal")

local execution = {}

--- The execution with the places it stands in, or nil: see `places.open`.
execution.open = places.open

--- Writes what was changed and brings the indexes along.
function execution.commit(r, now)
  if not r.f.nd then
    local was_over = r.over
    places.commit(r, now)
    if r.f.oc and r.over and not was_over then
      buffered.before_ended(r, now)
    end
    if r.orphans then
      r.looked = r.looked or {}
      propagate.cancel_orphans(r.partition, r.orphans, now, r.looked)
      r.orphans = nil
    end
  elseif r.f.ea and not r.over then
    propagate.ended(r, now)
  elseif r.over and not r.f.ea then
    propagate.reopened(r, now)
  else
    places.commit(r, now)
  end
end

--- Stores a new execution.
function execution.create(r, now)
  places.create(r, now)
end

--- Removes an execution and everything that belongs to it.
function execution.remove(r)
  removal.of(r)
end

return execution

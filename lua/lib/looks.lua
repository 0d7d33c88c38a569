--- Writes what is looked at when its time comes: a budget, a lane. Its field `la` says when.
local changes = require("changes")
local timers = require("timers")

local looks = {}

--- Writes the changed fields to a hash, behind the first `n` of `set` when that is given, and brings the timer along.
function looks.save(r, key, now, set, n)
  if set or r.changed then
    changes.save(r, key, set, n)
  end
  if r.f.la and r.f.la ~= r.due then
    timers.set(r, r.f.la, now)
  elseif r.due and not r.f.la then
    timers.remove(r)
  end
  r.due = r.f.la
end

return looks

--- Writes what is looked at when its time comes: a budget, a lane. Its field `la` says when.
local changes = require("changes")
local timers = require("timers")

local looks = {}

--- Writes the changed fields to a hash, behind the first `n` of `set`, a list of names and values, and brings the timer
--- along, which is set under the `name` of the record.
function looks.save(r, key, name, now, set, n)
  if r.changed then
    changes.save(r, key, set, n)
  elseif n > 0 then
    redis.call("HSET", key, unpack(set, 1, n))
  end
  local at, due = r.f.la, r.due
  if at == due then
    return
  elseif at then
    r.id = r.id or name(r)
    timers.set(r, at, now)
  else
    timers.remove(r)
  end
  r.due = at
end

return looks

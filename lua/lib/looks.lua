--- Writes what is looked at when its time comes: a budget, a lane. Its field `la` says when.
local timers = require("timers")

local looks = {}

--- Writes the changed fields to a hash, and brings the timer along.
function looks.save(r, key, now)
  local set = {}
  for field in pairs(r.changed or {}) do
    if r.f[field] then
      set[#set + 1], set[#set + 2] = field, r.f[field]
    else
      redis.call("HDEL", key, field)
    end
  end
  r.changed = nil
  if #set > 0 then
    redis.call("HSET", key, unpack(set))
  end
  if r.f.la and r.f.la ~= r.due then
    timers.set(r, r.f.la, now)
  elseif r.due and not r.f.la then
    timers.remove(r)
  end
  r.due = r.f.la
end

return looks

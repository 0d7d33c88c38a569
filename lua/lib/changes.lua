--- Writing what was changed of a record in hand.
local changes = {}

--- Writes the changed fields of a record to its hash, behind the first `n` of `set`, a list of names and values,
--- when that is given. A field without a value is removed.
function changes.save(r, key, set, n)
  local f, gone = r.f, nil
  set, n = set or { nil, nil, nil, nil }, n or 0
  if r.changed then
    for field in pairs(r.changed) do
      local value = f[field]
      if value then
        set[n + 1], set[n + 2], n = field, value, n + 2
      else
        gone = gone or {}
        gone[#gone + 1] = field
      end
    end
    r.changed = nil
  end
  if n > 0 then
    redis.call("HSET", key, unpack(set, 1, n))
  end
  if gone then
    redis.call("HDEL", key, unpack(gone))
  end
end

return changes

--- Writes the record of an execution: as a whole when it is new, and afterwards what was changed.
---
--- Only the record; its places in the indexes are brought along by `execution`.
local keys = require("keys")
local record = require("record")

local store = {}

local function save_long(r)
  local key = keys.long(r.partition, r.id)
  for field, value in pairs(r.long) do
    if value then
      redis.call("HSET", key, field, value)
    else
      redis.call("HDEL", key, field)
    end
  end
  r.long = nil
end

local OPTIONAL = {
  "pk", "pl", "ct", "cl", "tg", "rs", "du", "dl", "nd", "dp", "ch", "ck", "pa", "hk", "bu", "es", "lk", "tl", "oc",
}

--- Writes a new execution. Of the fields that are not packed it can have those of a submission.
function store.insert(r)
  local f = r.f
  f.r = record.run(r)
  local set, n = { "s", f.s, "p", f.p, "r", f.r }, 6
  for _, field in ipairs(OPTIONAL) do
    if f[field] then
      set[n + 1], set[n + 2], n = field, f[field], n + 2
    end
  end
  r.changed = nil
  redis.call("HSET", keys.execution(r.partition, r.id), unpack(set))
end

--- Writes what was changed.
function store.save(r)
  local f = r.f
  local set, n, gone = {}, 0, nil
  local run, holder = record.run(r), f.li and f.li .. f.lw or ""
  if run ~= f.r then
    set[1], set[2], n = "r", run, 2
    f.r = run
  end
  if holder ~= f.h then
    set[n + 1], set[n + 2], n = "h", holder, n + 2
    f.h = holder
  end
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
  local key = keys.execution(r.partition, r.id)
  if n > 0 then
    redis.call("HSET", key, unpack(set))
  end
  if gone then
    redis.call("HDEL", key, unpack(gone))
  end
  if r.long then
    save_long(r)
  end
end

return store

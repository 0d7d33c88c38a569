--- Writes the record of an execution: as a whole when it is new, and afterwards what was changed.
---
--- Only the record; its places in the indexes are brought along by `execution`.
local changes = require("changes")
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
  local set, n = { "s", f.s, "p", f.p, "r", f.r, nil, nil }, 6
  for i = 1, #OPTIONAL do
    local field = OPTIONAL[i]
    local value = f[field]
    if value then
      set[n + 1], set[n + 2], n = field, value, n + 2
    end
  end
  r.changed = nil
  redis.call("HSET", keys.execution(r.partition, r.id), unpack(set, 1, n))
end

--- Writes run and holder where they differ, and what else was changed. The list is made for a few fields.
local function save_all(r, key, run, holder)
  local f = r.f
  local set, n = { nil, nil, nil, nil, nil, nil, nil, nil }, 0
  if run ~= f.r then
    set[1], set[2], n = "r", run, 2
  end
  if holder ~= f.h then
    set[n + 1], set[n + 2], n = "h", holder, n + 2
  end
  changes.save(r, key, set, n)
end

--- Writes what was changed.
function store.save(r)
  local f, key = r.f, keys.execution(r.partition, r.id)
  local run, holder = record.run(r), f.li and f.li .. f.lw or ""
  if r.changed then
    save_all(r, key, run, holder)
  elseif holder ~= f.h then
    redis.call("HSET", key, "r", run, "h", holder)
  elseif run ~= f.r then
    redis.call("HSET", key, "r", run)
  end
  f.r, f.h = run, holder
  if r.long then
    save_long(r)
  end
end

return store

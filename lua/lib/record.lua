--- One execution in hand: its fields as stored, and which of them were changed.
---
--- Fields are texts; an absent field is `nil`. `docs/reference/keys.md` lists them.
local keys = require("keys")
local number = require("number")

local record = {}

--- Longest value kept in the hash itself: a longer one would make the server store the whole hash
--- in a form several times as large.
record.SHORT_MAX_BYTES = 64

--- The execution, or nil when there is none.
function record.load(partition, id)
  local flat = redis.call("HGETALL", keys.execution(partition, id))
  if #flat == 0 then
    return nil
  end
  local fields = {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return { partition = partition, id = id, f = fields, changed = {}, long = {} }
end

--- An execution that is not stored yet.
function record.new(partition, id)
  return { partition = partition, id = id, f = {}, changed = {}, long = {} }
end

--- Sets a field to a text, or removes it.
function record.set(r, field, value)
  if r.f[field] ~= value then
    r.f[field] = value
    r.changed[field] = true
  end
end

--- Sets a field to a whole number.
function record.set_number(r, field, value)
  record.set(r, field, number.text(value))
end

--- A field as a number, or nil.
function record.number(r, field)
  local text = r.f[field]
  return text and tonumber(text)
end

--- Sets a field that may be long, or removes it. A long value goes to a hash of its own.
function record.set_text(r, field, value)
  if value and #value > record.SHORT_MAX_BYTES then
    record.set(r, field, nil)
    record.set(r, "B", "1")
    r.long[field] = value
  else
    record.set(r, field, value)
    if r.f.B then
      r.long[field] = false
    end
  end
end

--- Writes what was changed.
function record.save(r)
  local set, gone = {}, {}
  for field in pairs(r.changed) do
    local value = r.f[field]
    if value then
      set[#set + 1] = field
      set[#set + 1] = value
    else
      gone[#gone + 1] = field
    end
  end
  local key = keys.execution(r.partition, r.id)
  if #set > 0 then
    redis.call("HSET", key, unpack(set))
  end
  if #gone > 0 then
    redis.call("HDEL", key, unpack(gone))
  end
  for field, value in pairs(r.long) do
    if value then
      redis.call("HSET", keys.long(r.partition, r.id), field, value)
    else
      redis.call("HDEL", keys.long(r.partition, r.id), field)
    end
  end
  r.changed, r.long = {}, {}
end

--- The fields as a list of names and values, for a reply.
function record.flat(r)
  local flat = {}
  for field, value in pairs(r.f) do
    flat[#flat + 1] = field
    flat[#flat + 1] = value
  end
  return flat
end

--- The payload.
function record.payload(r)
  if r.f.pk then
    return redis.call("GET", keys.payload(r.partition, r.id))
  end
  return r.f.pl or ""
end

return record

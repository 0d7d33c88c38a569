--- The edges of a node: those that lead out of it (`c`, to its children) and into it (`p`, from its
--- parents), each two bytes for the index of the node there and the letter of the condition. A few stand
--- in the record (`ch`, `pa`), many have a key of their own, and the record their number (`ck`, `hk`).
local keys = require("keys")
local memo = require("memo")
local number = require("number")
local record = require("record")

local links = {}

local BYTES = 3
local NONE = {}
local INLINE = { c = "ch", p = "pa" }
local COUNT = { c = "ck", p = "hk" }

--- How many there are.
function links.count(r, kind)
  local inline = r.f[INLINE[kind]]
  return inline and #inline / BYTES or tonumber(r.f[COUNT[kind]] or "0")
end

local function read(bytes)
  local found = {}
  for at = 1, #bytes, BYTES do
    local high, low = string.byte(bytes, at, at + 1)
    found[#found + 1] = { index = high * 256 + low, condition = string.sub(bytes, at + 2, at + 2) }
  end
  return found
end

--- The edges that some bytes stand for, `index` and `condition` of each. They are few, and not to be changed.
links.few = memo.of(read)

--- The bytes of those that stand in the record, or nil.
function links.inline(r, kind)
  return r.f[INLINE[kind]]
end

--- Those from a place on, up to another, counted from 0. They are not to be changed.
function links.slice(r, kind, from, to)
  if from >= to then
    return NONE
  end
  local inline = r.f[INLINE[kind]]
  if inline then
    return links.few(string.sub(inline, from * BYTES + 1, to * BYTES))
  end
  return read(redis.call("GETRANGE", keys.links(r.partition, kind, r.id), from * BYTES, to * BYTES - 1))
end

--- Adds some to a record, which is stored by somebody else.
function links.add(r, kind, bytes)
  local inline, key = r.f[INLINE[kind]], keys.links(r.partition, kind, r.id)
  local before = links.count(r, kind)
  if bytes == "" then
    return
  elseif before * BYTES + #bytes <= record.SHORT_MAX_BYTES then
    record.set(r, INLINE[kind], (inline or "") .. bytes)
    return
  end
  redis.call("APPEND", key, (inline or "") .. bytes)
  record.set(r, INLINE[kind], nil)
  record.set(r, COUNT[kind], number.text(before + #bytes / BYTES))
end

--- Removes those that have keys of their own.
function links.remove(r)
  if r.f.ck or r.f.hk then
    redis.call("DEL", keys.links(r.partition, "c", r.id), keys.links(r.partition, "p", r.id))
  end
end

return links

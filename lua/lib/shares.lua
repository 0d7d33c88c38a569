--- The shares of a budget, which lie in other partitions, as their home knows them.
---
--- Of each is kept, packed: the number of its latest message, what that granted, what was settled in all, what it holds,
--- what was granted meanwhile and is not told yet, what the first in its line needs and all of them, what of that it has,
--- how many wait, its place when it stands in line, the generation told to one with some set aside, and whether it was told that
--- others wait.
local keys = require("keys")
local packed = require("packed")
local record = require("record")

local shares = {}

--- What stands in line for a share: no id of an execution starts like this.
local ENTRY = "^@(%d+)$"

--- What is said to one that is to give back what nobody uses, although nobody waits in line.
shares.RECALLED = "r"

local FIELDS = {
  "number", "granted", "settled", "held", "news", "least", "all", "free", "waiting", "in_line", "told", "contended",
}

local function unpacked(text)
  local one, values = {}, packed.read(text)
  for at, field in ipairs(FIELDS) do
    one[field] = values[at] or ""
  end
  return one
end

--- The share of a partition, which has said nothing yet when there is none.
function shares.load(b, name)
  local one = unpacked(redis.call("HGET", keys.budget_shares(b.partition, b.budget), name) or "")
  one.name, one.number = name, one.number ~= "" and one.number or "0"
  return one
end

--- Writes it.
function shares.save(b, one)
  local values = {}
  for at, field in ipairs(FIELDS) do
    values[at] = one[field]
  end
  record.set(b, "sh", "1")
  redis.call("HSET", keys.budget_shares(b.partition, b.budget), one.name, cmsgpack.pack(values))
end

--- Calls `each` with every share.
function shares.each(b, each)
  local flat = b.f.sh and redis.call("HGETALL", keys.budget_shares(b.partition, b.budget)) or {}
  for at = 1, #flat, 2 do
    local one = unpacked(flat[at + 1])
    one.name = flat[at]
    each(one)
  end
end

--- The share that this entry of a line stands for, or nil.
function shares.in_line(b, entry)
  local name = string.match(entry, ENTRY)
  return name and shares.load(b, name)
end

--- What stands in line for a share.
function shares.entry(one)
  return "@" .. one.name
end

--- How many wait for room in a budget, those included that wait in its shares.
function shares.waiting(b)
  local line, aside = keys.budget_line(b.partition, b.budget), keys.budget_aside(b.partition, b.budget)
  local count = redis.call("ZCARD", line) + redis.call("ZCARD", aside)
  shares.each(b, function(one)
    count = count + one.waiting - (one.in_line ~= "" and 1 or 0)
  end)
  return count
end

--- Whether others than this share wait in line.
function shares.others_wait(b, one)
  local count = b.f.wl and redis.call("ZCARD", keys.budget_line(b.partition, b.budget)) or 0
  return count > (one.in_line ~= "" and 1 or 0)
end

--- The names of all, joined by spaces.
function shares.names(b)
  local names = {}
  shares.each(b, function(one)
    names[#names + 1] = one.name
  end)
  return table.concat(names, " ")
end

return shares

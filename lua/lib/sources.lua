--- The queues of a lane that a claim may take from.
local capabilities = require("capabilities")
local keyed = require("keyed")
local keys = require("keys")

local sources = {}

--- Most requirement classes of a lane that one call looks at; of more, a random choice.
local CLASSES_MAX = 1024
--- The kind of work of a letter, of which a capital stands for a ring.
local KIND = { f = "f", F = "f", c = "c", C = "c" }

--- The queues of a lane that hold something an offer covers, of the wanted kinds. Those in which keys take turns
--- are `turned` besides.
function sources.add(found, partition, lane, offer, fresh, reclaims, tag)
  local registry = keys.lane(partition, lane, tag)
  local entries = redis.call("SRANDMEMBER", registry, CLASSES_MAX)
  for i = 1, #entries do
    local entry = entries[i]
    local letter, class = entry, ""
    if #entry > 1 then
      letter, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    end
    local kind = KIND[letter]
    local wanted = kind == "f" and fresh or kind == "c" and reclaims
    if wanted and letter ~= kind and (class == "" or capabilities.covers(offer, class)) then
      local turned = found.turned or { nil }
      found.turned, turned[#turned + 1] = turned, keyed.ring(partition, lane, kind, class, tag)
    elseif wanted and (class == "" or capabilities.covers(offer, class)) then
      local key = keys.queue(partition, kind, lane, class, tag)
      found[#found + 1] = { kind = kind, class = class, entry = entry, key = key, registry = registry }
    end
  end
end

--- The same by kind and class of work, with what has a key and what has none together.
function sources.grouped(found)
  local groups = {}
  local function group(kind, class)
    local name = kind .. class
    groups[name] = groups[name] or { kind = kind }
    return groups[name]
  end
  for _, source in ipairs(found) do
    group(source.kind, source.class).plain = source
  end
  for _, ring in ipairs(found.turned or {}) do
    group(ring.kind, ring.class).ring = ring
  end
  return groups
end

return sources

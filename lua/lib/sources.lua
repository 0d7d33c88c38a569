--- The queues of a lane that a claim may take from.
local capabilities = require("capabilities")
local keyed = require("keyed")
local keys = require("keys")

local sources = {}

--- Most requirement classes of a lane that one call looks at. Of more it asks for each that an offer covers when these
--- are few, and looks at a random choice otherwise.
local CLASSES_MAX = 1024
--- The kind of work of a letter, of which a capital stands for a ring.
local KIND = { f = "f", F = "f", c = "c", C = "c" }

--- Of these classes, what stands in a registry.
local function listed(registry, classes, fresh, reclaims)
  local entries, found = {}, {}
  for letter, kind in pairs(KIND) do
    if kind == "f" and fresh or kind == "c" and reclaims then
      for i = 1, #classes do
        entries[#entries + 1] = letter .. classes[i]
      end
    end
  end
  local are_there = redis.call("SMISMEMBER", registry, unpack(entries))
  for i = 1, #entries do
    if are_there[i] == 1 then
      found[#found + 1] = entries[i]
    end
  end
  return found
end

--- The queues of a lane that hold something an offer covers, of the wanted kinds. Those in which keys take turns
--- are `turned` besides. `offered` is the offer as text.
function sources.add(found, partition, lane, offer, offered, fresh, reclaims, tag)
  local registry = keys.lane(partition, lane, tag)
  local entries = redis.call("SRANDMEMBER", registry, CLASSES_MAX)
  local classes = #entries == CLASSES_MAX and capabilities.classes(offered)
  if classes then
    entries = listed(registry, classes, fresh, reclaims)
  end
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

--- Whose turn it is among the keys that have something ready in a queue. The empty key stands for what has
--- none, and takes turns only with others.
---
--- Each key stands at a number, and the lowest is next; equal ones follow in the order of their names. A turn
--- moves a key on by `2^20 / weight`, and one that comes stands one less than that behind the one that is next:
--- behind all of this round, and in front of whoever has had the next turn.
local keys = require("keys")

local turns = {}

local STRIDE = 2 ^ 20

local function step(partition, lane, key)
  local weight = key ~= "" and redis.call("HGET", keys.lane_weights(partition, lane), key)
  return math.floor(STRIDE / (weight or 1))
end

--- The key whose turn it is, or nil.
function turns.next(ring)
  return redis.call("ZRANGE", ring, 0, 0)[1]
end

--- The first key that is not the empty one, or nil.
function turns.next_key(ring)
  local first = redis.call("ZRANGE", ring, 0, 1)
  return first[1] ~= "" and first[1] or first[2]
end

--- Lets a key take part, unless it does.
function turns.join(partition, lane, ring, key)
  if not redis.call("ZSCORE", ring, key) then
    local first = tonumber(redis.call("ZRANGE", ring, 0, 0, "WITHSCORES")[2] or "0")
    redis.call("ZADD", ring, string.format("%d", first + step(partition, lane, key) - 1), key)
  end
end

--- The key has had a turn. A lane that was never steered has no weights.
function turns.took(partition, lane, ring, key, has_weights)
  redis.call("ZADD", ring, "XX", "INCR", has_weights and step(partition, lane, key) or STRIDE, key)
end

--- Takes a key out. The last one ends the round for the empty one too. Answers whether the round is over.
function turns.leave(ring, key)
  redis.call("ZREM", ring, key)
  if turns.next_key(ring) then
    return false
  end
  redis.call("DEL", ring)
  return true
end

return turns

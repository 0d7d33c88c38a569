--- How much is ready in a lane, and since when.
local heads = require("heads")
local keys = require("keys")
local number = require("number")
local placement = require("placement")

local depth = {}

--- How many executions are ready in a lane, those over a limit among them; of more than 1,024 requirement classes
--- those of a random choice.
function depth.ready(partition, name)
  local count = redis.call("ZCARD", keys.keyed(partition, name))
  for _, key in ipairs(heads.keyless(partition, name)) do
    count = count + redis.call("ZCARD", key)
  end
  return count
end

--- Since when the longest waiting of them is ready, as text or nil: the first of each priority has waited longest
--- of it.
function depth.oldest(partition, name)
  local oldest = redis.call("ZRANGE", keys.keyed(partition, name), 0, 0, "WITHSCORES")[2]
  for _, key in ipairs(heads.keyless(partition, name)) do
    local from = "-inf"
    repeat
      local entry = redis.call("ZRANGE", key, from, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
      if entry[1] then
        local rank, since = placement.read(tonumber(entry[2]))
        oldest, from = number.earlier(oldest, number.text(since)), placement.rank_start(rank + 1)
      end
    until not entry[1]
  end
  return oldest
end

return depth

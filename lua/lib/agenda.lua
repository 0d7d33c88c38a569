--- What is due now, and when something is due next, for a maintainer that looks after everything or after one
--- tag.
local keys = require("keys")
local number = require("number")
local timers = require("timers")

local agenda = {}

local function range(key, now, most)
  return redis.call("ZRANGE", key, "-inf", now, "BYSCORE", "LIMIT", 0, most, "WITHSCORES")
end

--- The ids of what is due at `now`, the longest due first, at most `most`.
function agenda.due(partition, tag, now, most)
  local ids, at, lists = {}, {}, { range(keys.due(partition, tag ~= "" and tag or nil), now, most) }
  lists[2] = tag ~= "" and range(keys.due(partition, timers.EVERYBODYS), now, most) or {}
  for _, list in ipairs(lists) do
    for i = 1, #list, 2 do
      ids[#ids + 1], at[list[i]] = list[i], tonumber(list[i + 1])
    end
  end
  if #lists[2] > 0 then
    table.sort(ids, function(one, other)
      return at[one] < at[other] or (at[one] == at[other] and one < other)
    end)
  end
  return ids
end

--- When something is due next, or nil.
function agenda.next(partition, tag)
  local at = redis.call("ZRANGE", keys.due(partition, tag ~= "" and tag or nil), 0, 0, "WITHSCORES")[2]
  if tag == "" then
    return at
  end
  return number.earlier(at, redis.call("ZRANGE", keys.due(partition, timers.EVERYBODYS), 0, 0, "WITHSCORES")[2])
end

return agenda

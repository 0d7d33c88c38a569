--- The budgets that an execution draws on, a text of 32 digits each.
local keys = require("keys")
local memo = require("memo")

local drawn = {}

local ID_BYTES = 32

--- Their ids, a list that is not to be changed.
drawn.ids = memo.of(function(text)
  local ids = {}
  for at = 1, #text, ID_BYTES do
    ids[#ids + 1] = string.sub(text, at, at + ID_BYTES - 1)
  end
  return ids
end)

--- The first of them that there is not, or nil.
function drawn.unknown(partition, text)
  for _, id in ipairs(drawn.ids(text)) do
    if redis.call("EXISTS", keys.budget(partition, id)) == 0 then
      return id
    end
  end
  return nil
end

return drawn

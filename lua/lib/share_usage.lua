--- Reports of usage in a share of a budget: what it does not hold, its home may still grant.
local amounts = require("amounts")
local dimensions = require("dimensions")
local share = require("share")

local share_usage = {}

--- What a share does not hold of a report that replaces one reservation by another, by dimension.
local function missing(b, used, before, after)
  local amount, reserves = {}, b.is.action ~= "r"
  for _, limit in ipairs(b.limits) do
    local name = limit.name
    local reserved = reserves and math.max(limit.reserved - (before[name] or 0), 0) + (after[name] or 0) or 0
    if limit.hard and (used[name] or 0) > 0 then
      amount[name] = math.max(limit.used + used[name] + reserved - limit.hard, 0)
    end
  end
  return amount
end

--- What is said to a report that a share does not hold enough for, see `report_usage`, or nil.
function share_usage.refused(b, used, before, after, last)
  local amount = missing(b, used, before, after)
  local needed = amounts.text(amount)
  if not needed then
    return nil
  elseif not last then
    return "short " .. b.budget .. " " .. needed
  end
  local name = string.match(needed, "^%S+")
  local is = share.in_all(b, dimensions.of(b, name))
  return dimensions.passed("hard", b, name, is.hard or 0, is, used[name])
end

return share_usage

--- A dimension of a budget in hand: its `name` and `field`, `bounds` as text, the limits `soft` and `hard`, which may be
--- nil, what is `used` and what is `reserved`.
---
--- It is stored in a field `d:` and its name: soft and hard limit, each `-` when there is none, what is used and what is
--- reserved.
local memo = require("memo")
local number = require("number")

local dimensions = {}

--- Where the name begins in that of its field.
local NAME_AT = 3
local DIMENSION = "^(%S+ %S+) (%d+) (%d+)$"

local bounds = memo.of(function(text)
  local soft, hard = string.match(text, "^(%S+) (%S+)$")
  return { soft = tonumber(soft), hard = tonumber(hard) }
end)

--- A dimension from its stored field.
function dimensions.read(field, value)
  local text, used, reserved = string.match(value, DIMENSION)
  local ends = bounds(text)
  return {
    name = string.sub(field, NAME_AT), field = field,
    bounds = text, soft = ends.soft, hard = ends.hard, used = used + 0, reserved = reserved + 0,
  }
end

--- The same as it is stored.
function dimensions.text(one)
  return one.bounds .. " " .. number.text(one.used) .. " " .. number.text(one.reserved)
end

--- Whether one comes before another.
function dimensions.in_order(one, other)
  return one.name < other.name
end

--- The dimension of a budget that has this name, or nil.
function dimensions.of(b, name)
  for _, one in ipairs(b.limits) do
    if one.name == name then
      return one
    end
  end
  return nil
end

--- What says that a limit of a kind would be, or is, passed by what was asked for, see `report_usage`. `is` has what is
--- used and reserved.
function dimensions.passed(kind, b, name, limit, is, asked)
  return table.concat({
    kind, b.budget, number.text(limit), number.text(is.used), number.text(is.reserved), number.text(asked), name,
  }, " ")
end

--- Sets the bounds of a dimension, each as text and `-` for none.
function dimensions.bound(one, soft, hard)
  one.bounds = soft .. " " .. hard
  local ends = bounds(one.bounds)
  one.soft, one.hard = ends.soft, ends.hard
end

return dimensions

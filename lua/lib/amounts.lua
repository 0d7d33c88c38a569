--- Amounts by dimension, as text `<dimension> <amount>` in a row, and in hand as a table.
local memo = require("memo")
local number = require("number")

local amounts = {}

local NOTHING = {}

--- The largest that one may be: 2^53 - 1.
amounts.MAX = 9007199254740991

local read = memo.of(function(text)
  local found = {}
  for name, amount in string.gmatch(text, "(%S+) (%d+)") do
    found[name] = tonumber(amount)
  end
  return found
end)

--- The amounts of a text, which may be nil. Not to be changed.
function amounts.read(text)
  return text and read(text) or NOTHING
end

--- The dimensions of a table, in order.
function amounts.names(found)
  local names = {}
  for name in pairs(found) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- The text of amounts, without those of nothing; nil when that leaves none.
function amounts.text(found)
  local parts = {}
  for _, name in ipairs(amounts.names(found)) do
    if found[name] > 0 then
      parts[#parts + 1] = name .. " " .. number.text(found[name])
    end
  end
  return #parts > 0 and table.concat(parts, " ") or nil
end

return amounts

--- Whole numbers as text, and the bounds that keep them exact in a double.
local number = {}

--- The last instant a timestamp reaches, in ms: the end of the year 9999.
number.TIME_MAX = 253402300799999

--- Numbers below this are often asked for: their texts are kept.
local SMALL = 256
local small = {}
--- One call often asks for the same time again.
local last, last_text

--- The decimal digits of a whole number. A score, or the bound of one, need not be text: the server writes it to the
--- last digit, and for less; but some write 1e+12 where that is shorter, which nothing but a score may be. Lua's own
--- conversion loses digits from 1e14 on, and a conversion by way of a float costs several times as much.
function number.text(value)
  local text = value == last and last_text or small[value]
  if not text then
    text = string.format("%d", value)
    if value >= 0 and value < SMALL then
      small[value] = text
    else
      last, last_text = value, text
    end
  end
  return text
end

--- The earlier of two times as texts, each of which may be nil.
function number.earlier(one, other)
  if not one or (other and tonumber(other) < tonumber(one)) then
    return other
  end
  return one
end

--- `at` and `ms` more, but never behind the last instant.
function number.later(at, ms)
  local later = at + ms
  return later < number.TIME_MAX and later or number.TIME_MAX
end

return number

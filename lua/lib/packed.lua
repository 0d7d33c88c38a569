--- Values that are packed into one argument, each as `<length>:<bytes>`.
local packed = {}

--- All values, in order.
function packed.read(text)
  local values, at = {}, 1
  while at <= #text do
    local length, from = string.match(text, "^(%d+):()", at)
    values[#values + 1] = string.sub(text, from, from + length - 1)
    at = from + length
  end
  return values
end

return packed

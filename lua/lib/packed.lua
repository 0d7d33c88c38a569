--- Values that are packed into one argument: an array of strings in MessagePack. One that is empty has none.
local packed = {}

--- All values, in order.
function packed.read(text)
  return text ~= "" and cmsgpack.unpack(text) or {}
end

return packed

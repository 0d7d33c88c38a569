--- Sets of capabilities as canonical text: tokens in order, joined by commas.
local capabilities = {}

--- A worker's offer, prepared for `covers`.
function capabilities.offer(text)
  local offer = {}
  for token in string.gmatch(text, "[^,]+") do
    offer[token] = true
  end
  return offer
end

--- Whether an offer has everything a requirement class names.
function capabilities.covers(offer, class)
  for token in string.gmatch(class, "[^,]+") do
    if not offer[token] then
      return false
    end
  end
  return true
end

return capabilities

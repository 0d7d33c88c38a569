--- Sets of capabilities as canonical text: tokens in order, joined by commas.
local capabilities = {}

--- Most capabilities of an offer whose classes are listed.
local LISTED_MAX = 8

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

--- All requirement classes that an offer covers, or nil when they are too many.
function capabilities.classes(text)
  local classes, tokens = { "" }, 0
  for token in string.gmatch(text, "[^,]+") do
    tokens = tokens + 1
    if tokens > LISTED_MAX then
      return nil
    end
    for at = 1, #classes do
      classes[#classes + 1] = at == 1 and token or classes[at] .. "," .. token
    end
  end
  return classes
end

return capabilities

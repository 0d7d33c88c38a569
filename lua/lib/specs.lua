--- The waitpoints that a suspend asks for, read from one argument.
local specs = {}

local FIELDS = { "id", "key", "kind", "matcher", "expires_in", "expires_at" }

--- Each waitpoint as a table: `id`, `key`, `kind`, `matcher`, `expires_in`, and `expires_at`, which is
--- empty for a fresh one.
function specs.read(text)
  local found, at = {}, 1
  while at <= #text do
    local spec = {}
    for _, field in ipairs(FIELDS) do
      local length, from = string.match(text, "^(%d+):()", at)
      spec[field] = string.sub(text, from, from + length - 1)
      at = from + length
    end
    found[#found + 1] = spec
  end
  return found
end

return specs

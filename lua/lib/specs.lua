--- The waitpoints that a suspend asks for, read from one argument.
local packed = require("packed")

local specs = {}

local FIELDS = { "id", "key", "kind", "matcher", "expires_in", "expires_at" }

--- Each waitpoint as a table: `id`, `key`, `kind`, `matcher`, `expires_in`, and `expires_at`, which is
--- empty for a fresh one.
function specs.read(text)
  local values, found = packed.read(text), {}
  for at = 1, #values, #FIELDS do
    local spec = {}
    for i, field in ipairs(FIELDS) do
      spec[field] = values[at + i - 1]
    end
    found[#found + 1] = spec
  end
  return found
end

return specs

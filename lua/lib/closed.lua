--- Whether a lane is closed, so that nobody need be woken for what is ready in it.
local lanes = require("lanes")

local closed = {}

local function held(partition, name)
  local leases, tokens = lanes.held(partition, name)
  return leases + tokens
end

--- Whether nobody could be handed out a record that is ready as long as no lease ends and nothing is adjusted.
function closed.to(r, looked)
  local is, partition, name = lanes.of(r.partition, r.f.ln, looked), r.partition, r.f.ln
  if not is then
    return false
  end
  return is.state == "p" or (is.most and held(partition, name) >= is.most)
    or (is.key_most and r.f.lk and lanes.held_by_key(partition, name, r.f.lk) >= is.key_most) or false
end

return closed

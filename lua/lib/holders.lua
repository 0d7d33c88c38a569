--- Who holds the lease, for calls that write beside the record and leave it alone: they read of it no more
--- than that.
local fence = require("fence")
local places = require("places")
local record = require("record")
local reply = require("reply")

local holders = {}

--- The run, the holder, and whether somebody waits for frames; and a refusal when the lease behind a fence
--- is not live.
function holders.of(partition, id, its, now)
  local holder = record.holder(partition, id)
  if not holder or not fence.is_live(holder, its) then
    local r = places.open(partition, id)
    return nil, r and fence.refused(r, its, now) or reply.err("NOT_FOUND")
  elseif now >= tonumber(holder.lx) then
    return nil, reply.err("LEASE_EXPIRED")
  end
  return holder
end

return holders

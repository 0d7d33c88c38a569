--- Removing executions.
local keys = require("keys")
local links = require("links")
local queue = require("queue")
local timers = require("timers")
local waits = require("waits")
local waits_store = require("waits_store")

local removal = {}

--- Removes an execution and everything that belongs to it.
function removal.of(r)
  if r.queue then
    queue.remove(r, r.queue)
  end
  timers.remove(r)
  if r.f.wv then
    waits.forget_all(r)
    waits_store.save(r)
  end
  local part, id = r.partition, r.id
  redis.call("ZREM", keys.all(part), id)
  redis.call("DEL", keys.execution(part, id), keys.long(part, id), keys.payload(part, id))
  redis.call("UNLINK", keys.frames(part, id), keys.summary(part, id))
  if r.f.nd then
    links.remove(r)
  end
end

return removal

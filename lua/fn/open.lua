--- Opens a partition: makes its mark on first use, and answers what the mark says.
---
--- @arg partitions int  of the keyspace, were it made now
--- @arg protocol   int
--- @ok partitions int
--- @ok protocol   int
local keys = require("keys")
local reply = require("reply")

return function(partition, partitions, protocol)
  local mark = keys.mark(partition)
  redis.call("HSETNX", mark, "partitions", partitions)
  redis.call("HSETNX", mark, "protocol", protocol)
  local stands = redis.call("HMGET", mark, "partitions", "protocol")
  return reply.ok(stands[1], stands[2])
end

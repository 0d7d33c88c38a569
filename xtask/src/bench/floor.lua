#!lua name=floor
-- What a function costs before it decides anything: `bare` does nothing, and each of the others calls
-- the commands of the operation of its name, with arguments of the same size, and ignores the replies.
-- The argument is the id of an execution.

local RECORD = "0123456789abcdef 3 10 0 86400000 1 1000 2 60000 1"
local RUN = "active 1 0 1 1764000000000 1764000030000 30000 0 0 f"
local TIME = "1764000000000"

redis.register_function("bare", function()
  return 1
end)

redis.register_function("floor_submit", function(prefixes, arguments)
  local prefix, id = prefixes[1], arguments[1]
  redis.call("TIME")
  redis.call("HGET", prefix .. "e:" .. id, "p")
  redis.call("GET", prefix .. "L:main")
  redis.call("SET", prefix .. "p:" .. id, arguments[2])
  redis.call("ZADD", prefix .. "a", "0", id)
  redis.call("HSET", prefix .. "e:" .. id, "s", "main 0 1764000000000 task", "p", RECORD, "r", RUN, "pk", "1")
  redis.call("ZADD", prefix .. "q:f:main ", "3518437208883200000", id)
  redis.call("SADD", prefix .. "l:main", "f")
  redis.call("ZRANGE", prefix .. "w:main", "0", "63")
  return { "OK", { { "OK", "new" } } }
end)

redis.register_function("floor_claim", function(prefixes, arguments)
  local prefix, id = prefixes[1], arguments[1]
  redis.call("TIME")
  redis.call("MGET", prefix .. "r:f", prefix .. "L:main")
  redis.call("SRANDMEMBER", prefix .. "l:main", "1024")
  redis.call("ZRANGE", prefix .. "q:f:main ", "0", "1")
  local record = redis.call("HGETALL", prefix .. "e:" .. id)
  redis.call("HSET", prefix .. "e:" .. id, "r", RUN, "h", arguments[3])
  redis.call("ZREM", prefix .. "q:f:main ", id)
  redis.call("ZADD", prefix .. "d", TIME, id)
  local payload = redis.call("GET", prefix .. "p:" .. id)
  redis.call("HINCRBY", prefix .. "N:main", "l", 1)
  redis.call("SET", prefix .. "r:f", id .. arguments[3], "PXAT", "4102444800000")
  return { "OK", TIME, "0", "0", "0", { { "task", 0, id, record, payload } } }
end)

redis.register_function("floor_renew", function(prefixes, arguments)
  local prefix, id = prefixes[1], arguments[1]
  redis.call("TIME")
  redis.call("HGETALL", prefix .. "e:" .. id)
  redis.call("HSET", prefix .. "e:" .. id, "r", RUN)
  redis.call("ZADD", prefix .. "d", TIME, id)
  return { "OK", { { "OK", TIME } } }
end)

redis.register_function("floor_complete", function(prefixes, arguments)
  local prefix, id = prefixes[1], arguments[1]
  redis.call("TIME")
  redis.call("HGETALL", prefix .. "e:" .. id)
  redis.call("HSET", prefix .. "e:" .. id, "r", RUN, "h", "", "x1", arguments[3])
  redis.call("XADD", prefix .. "h", "MAXLEN", "~", "100000", "1-*", "e", "x " .. id .. " completed " .. TIME .. " -\n")
  redis.call("SPOP", prefix .. "h:", "100")
  redis.call("ZADD", prefix .. "d", TIME, id)
  redis.call("HINCRBY", prefix .. "N:main", "l", -1)
  return { "OK", "e completed" }
end)

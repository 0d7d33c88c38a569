--- Commands with any number of values: in portions, because a list that is very long cannot be passed
--- on at once. None of them is called for nothing.
local chunks = {}

--- Values of one command at the most.
local MOST = 1000

local function each(call, key, values)
  for from = 1, #values, MOST do
    call(key, unpack(values, from, math.min(from + MOST - 1, #values)))
  end
end

local function set_fields(key, ...)
  redis.call("HSET", key, ...)
end

local function delete_fields(key, ...)
  redis.call("HDEL", key, ...)
end

local function append(key, ...)
  redis.call("RPUSH", key, ...)
end

local function remove_members(key, ...)
  redis.call("ZREM", key, ...)
end

--- Sets fields of a hash: a list of names and values.
function chunks.set_fields(key, values)
  each(set_fields, key, values)
end

--- Removes fields of a hash.
function chunks.delete_fields(key, names)
  each(delete_fields, key, names)
end

--- Appends values to a list.
function chunks.push(key, values)
  each(append, key, values)
end

--- Removes members of a sorted set.
function chunks.remove_members(key, members)
  each(remove_members, key, members)
end

return chunks

--- What library is loaded: the protocol it speaks and the hash of its text.
---
--- @flags no-writes
--- @ok protocol int
--- @ok hash     text
local library = require("library")
local reply = require("reply")

return function(_)
  return reply.ok(library.PROTOCOL, library.HASH)
end

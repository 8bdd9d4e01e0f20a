-- For wrk: sends the requests of a file in turn, so that no two that are under way are of the same visitor.
-- The file: for each request its length in bytes in a line of its own, the request, and a line's end.
local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  while true do
    local length = file:read("*l")
    if length == nil then break end
    requests[#requests + 1] = file:read(tonumber(length))
    file:read(1)
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

-- For wrk: every request comes from the next visitor, so that no two that are under way are of the same one.
-- Arguments: the method, and a file with the Cookie header of each visitor in a line of its own.
local requests, at = {}, 0

function init(args)
  for cookie in io.lines(args[2]) do
    local headers = { Cookie = cookie }
    for name, value in pairs(wrk.headers) do headers[name] = value end
    requests[#requests + 1] = wrk.format(args[1], nil, headers)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

require "sinatra/base"

# Says a line of a haiku.
class Haiku < Sinatra::Base
  LINES = ["an old silent pond", "a frog jumps into the pond", "splash! silence again"].freeze

  get("/healthz") { "ok" }
  get("/lines/:number") { LINES.fetch(params[:number].to_i) { halt 404 } }
end

require_relative "app"

run Haiku

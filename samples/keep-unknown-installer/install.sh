#!/bin/bash
set -e
curl -fsSL "https://tools.example.org/$(uname -m)/agent.run" -o /tmp/agent.run
sh /tmp/agent.run --prefix /usr

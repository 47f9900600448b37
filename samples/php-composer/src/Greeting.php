<?php

namespace Greeter;

final class Greeting
{
    public function to(string $name): string
    {
        return "Hello, {$name}!";
    }
}

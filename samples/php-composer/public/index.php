<?php

require __DIR__ . '/../vendor/autoload.php';

echo (new Greeter\Greeting())->to($_GET['name'] ?? 'world');

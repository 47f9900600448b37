package org.example.library;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

@RestController
class Loans {
    private final Map<String, Integer> loans = new ConcurrentHashMap<>();

    @GetMapping("/healthz")
    Map<String, String> healthz() {
        return Map.of("status", "ok");
    }

    @PostMapping("/loans/{reader}")
    @ResponseStatus(HttpStatus.CREATED)
    Map<String, Integer> lend(@PathVariable String reader) {
        return Map.of(reader, loans.merge(reader, 1, Integer::sum));
    }
}

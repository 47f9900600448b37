package org.example.core;

/** Minutes of the day, as people say them. */
public final class Clock {
    private Clock() {}

    public static String say(int minutes) {
        return "%02d:%02d".formatted(minutes / 60 % 24, minutes % 60);
    }
}

"""From specs to what azure-native takes: plain dictionaries by ARM's names, with `properties` lifted as it lifts them.

Every function is pure. What is only known later (an id, an address) is handed in as an opaque object and put in place.
"""
